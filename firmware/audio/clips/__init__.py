"""Audio clips: files that people upload, kept and played. Runs in the media role.

`kinds` judges a file by its content, `decode` turns it into sound in a confined child, `shelf` keeps it,
`player` plays it.
"""
