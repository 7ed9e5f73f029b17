from django.apps import AppConfig


class CatalogueConfig(AppConfig):
    name = "labelapp.catalogue"
