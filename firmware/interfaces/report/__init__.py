"""The server report: what somebody who helps from afar needs to know, with nothing secret in it."""
