"""Pictures for whoever looks: views shared by their viewers, each picture fetched once and written to all.

The network role never decodes a picture; it has no numpy and no codec.
"""
