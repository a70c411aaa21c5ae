"""The data plane: moves the bytes of a transfer, told what to do by Data Plane Signaling.

It knows nothing of contracts and policies. `bootstrap` puts the parts together; `signaling_api` is the HTTP edge.
"""
