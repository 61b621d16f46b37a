"""Where things are kept: tables, migrations and the store that activities and clients use."""
