from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "labelapp.review"
