"""The web interface: pages on NiceGUI that see the link and nothing else; docs/web.md tells how they are made.

Whoever has not logged in never reaches the toolkit: the log-in and the first start are plain pages (`entrance.py`).
The toolkit is loaded when somebody opens the first page, so that a device nobody looks at does not pay for it.
"""
