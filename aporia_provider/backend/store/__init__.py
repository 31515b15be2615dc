"""The database: tables, migrations, and access to rows."""
