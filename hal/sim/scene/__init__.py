"""What a simulated camera looks at: bars, a clock, a card and a plate that move, or a film; and what goes wrong.

`peer` is the camera's bench face and needs no numpy; `source` is its bus face, `paint` the pictures themselves.
"""
