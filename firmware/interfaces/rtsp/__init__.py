"""Events of the device as a metadata stream over RTSP 1.0 (RFC 2326), RTP over UDP or within the connection (RFC 3550).

Imported by the network role alone; docs/rtsp.md says what is there.
"""
