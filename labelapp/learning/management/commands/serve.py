"""One process that is all of Seisloop: pages, API, and the worker."""

import os
import signal
from typing import Any, NoReturn

import waitress
from django.conf import settings
from django.core.management.base import CommandParser
from django.db import connections

from labelapp.learning import serving, worker
from labelapp.learning.management.running import LearningCommand

# A browser opens six connections at once; a page waits for the database, not for the processor.
THREADS = 8


class Command(LearningCommand):
    help = "Serve the web application on SEISLOOP_PORT, with the worker in the same process, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="first build what is missing of the demo sites")

    def perform(self, *, demo: bool, **options: Any) -> None:
        host, port = settings.BIND, settings.PORT
        address = f"http://{host}:{port}/"
        signal.signal(signal.SIGTERM, _interrupt)
        with serving.sole_server(address):
            serving.require_free_port(host, port)
            if serving.collect_static_files():
                self.stdout.write("Collected the static files.")
            if demo:
                self._build_demo()
            if settings.EMBEDDED:
                worker.start()
            self._serve(host, port, address)

    def _build_demo(self) -> None:
        from labelapp.learning.management import demo

        demo.build(self)

    def _serve(self, host: str, port: int, address: str) -> None:
        from labelapp.wsgi import application

        server = waitress.create_server(application, host=host, port=port, threads=THREADS, ident=None)
        self.stdout.write(self.style.SUCCESS(f"Seisloop is at {address}  (Ctrl-C ends it)"))
        self.stdout.flush()
        try:
            server.run()  # returns on Ctrl-C
        finally:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            self.stdout.write("Ending.")
            self._end()

    def _end(self) -> NoReturn:
        """Leave at once: the worker's threads may be deep in a computation that Python cannot end."""
        if settings.EMBEDDED:
            worker.stop()
        connections.close_all()
        self.stdout.flush()
        os._exit(0)


def _interrupt(*args: Any) -> NoReturn:
    raise KeyboardInterrupt
