from typing import Any

from labelapp.learning.management import demo
from labelapp.learning.management.running import LearningCommand


class Command(LearningCommand):
    help = "Build the demo sites and the first logins; safe to repeat: what is there is left alone."

    def perform(self, *args: Any, **options: Any) -> None:
        demo.build(self)
