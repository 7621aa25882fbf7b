"""Children that look at foreign bytes: started and waited for by `child`, locked in by `lock`.

The gate of bundles and the decoder of clips are such children. They have no privileges, network, or right to write.
"""
