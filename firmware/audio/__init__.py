"""Sound in the media role."""
