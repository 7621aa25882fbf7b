"""Sound: clips and what plays them; runs in the media role."""
