"""The device image: a drawing of the product made from its board's things, which moves with it and can be touched."""
