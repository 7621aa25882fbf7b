"""Pictures as people and programs get them; runs in the media role."""
