"""What workers are told by their environment: what their libraries need, and nothing that this process keeps secret.

`horovodrun` writes the environment of its workers on their command lines, where every user of a machine can read it.
So workers are given the variables that are named here alone. They need no sign-in: all that they read is in the folder
of the job.
"""

import os
import socket
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

from sparkhu.errors import SparkhuError

GIVEN: Final = (
    *("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LC_*", "LD_LIBRARY_PATH"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONHASHSEED"),
    *("CUDA_*", "NVIDIA_VISIBLE_DEVICES", "NCCL_*", "GLOO_*", "HOROVOD_*", "TORCH_*", "CUBLAS_WORKSPACE_CONFIG"),
)
"""Names of variables that workers get as they stand here; `*` is any text."""
WITHHELD: Final = (
    *("*SECRET*", "*PASSW*", "*TOKEN*", "*CREDENTIAL*", "*_KEY"),
    *("HOROVOD_*RANK", "HOROVOD_*SIZE", "HOROVOD_HOSTNAME", "HOROVOD_GLOO_RENDEZVOUS_*"),
)
"""Names that are left out all the same: secrets, and the place among workers of this process, where it is one."""
SIGN_IN: Final = ("SSH_AUTH_SOCK", "USER", "LOGNAME")
"""What SSH needs to reach other hosts; the first is the name of a socket."""
THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


def worker_environment(told: Mapping[str, str], *, elsewhere: bool = False) -> dict[str, str]:
    """Give the environment of a worker: each computes on one thread.

    Args:
        told: Variables that only it has.
        elsewhere: Whether workers are begun on other hosts by SSH.
    """
    names = (*GIVEN, *SIGN_IN) if elsewhere else GIVEN
    given = {
        name: value
        for name, value in os.environ.items()
        if any(fnmatchcase(name, each) for each in names) and not any(fnmatchcase(name, each) for each in WITHHELD)
    }
    paths = os.pathsep.join(each for each in sys.path if each)
    return {**given, **dict.fromkeys(THREADS, "1"), "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", **told}


def loopback() -> str:
    """Give the name of the network interface that this machine alone reaches.

    Raises:
        SparkhuError: There is none.
    """
    names = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    if not names:
        raise SparkhuError(
            "this machine has no loopback interface, by which its workers reach each other. Bring one up, or train in "
            "this process: distribution single."
        )
    return names[0]
