"""The public contract: REST and exports. Imports the other apps; none imports it."""
