"""`horovodrun`, whose meeting place listens on one network interface alone.

Horovod's own listens on all of them. This module is begun as `horovodrun` is, with the same arguments, of which
`--network-interfaces NAME` must be one: the workers meet at the first address of that interface, and nothing listens
elsewhere. Given an interface, `horovodrun` also does not look for one by services that unpickle what they are sent.
"""

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from horovod.runner.http.http_server import RendezvousServer


def server_at(address: str) -> "type[RendezvousServer]":
    """Give Horovod's server of its meeting place, bound to one address."""
    from horovod.runner.http import http_server
    from horovod.runner.util.threads import in_thread

    class AtAddress(http_server.RendezvousServer):  # type: ignore[misc]
        def start(self, handler_cls: Any = http_server.RendezvousHandler) -> int:
            self._httpd = http_server.RendezvousHTTPServer((address, 0), handler_cls, self._verbose)
            self._listen_thread = in_thread(target=self._httpd.serve_forever)
            return int(self._httpd.server_port)

    return AtAddress


def main() -> None:
    """Run `horovodrun` with the arguments of this process."""
    from horovod.runner import gloo_run, launch
    from horovod.runner.util.network import get_driver_ip

    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--network-interfaces", required=True)
    interface = parser.parse_known_args(sys.argv[1:])[0].network_interfaces
    gloo_run.RendezvousServer = server_at(get_driver_ip([interface]))
    launch.run_commandline()


if __name__ == "__main__":
    main()
