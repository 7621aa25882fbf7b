"""The data plane of pictures: one Unix stream per source, from the media role to the network role.

The link carries facts and commands only (`core.link`); pictures go beside it. Whoever connects says which cut it wants
and gets whole JPEG files, always the newest: what it does not take in time is never made.
"""
