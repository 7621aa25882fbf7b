"""Pictures as people and programs get them; runs in the media role. So far: the snapshot."""
