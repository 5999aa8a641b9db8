"""A fitted pipeline as an HTTP API with a page, fit for untrusted audio.

`app` has the endpoints, `guard` and `connections` refuse what is too much, `pool` and `worker` are
the processes that decode and predict. Endpoints and limits may grow; the fields of responses stay.
"""

from sklearn_ser.server.limits import Limits

__all__ = ["Limits"]
