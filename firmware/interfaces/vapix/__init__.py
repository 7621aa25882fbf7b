"""The VAPIX-compatible face: what programs written for network cameras and door stations send, answered from the same
states, actions and parameters as the native API. `face.py` lists what there is; names and shapes are facts of that
protocol, everything behind them is ours.
"""
