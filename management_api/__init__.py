"""The Data Management API: what clients call to offer data, to agree on contracts and to move data.

`app` builds it from a control plane's services; `routers` are the paths, `schemas` what goes in and comes out,
`json_ld` and `odrl` the two notations, `problems` the only place that turns errors into answers.
"""
