"""The backend's database: tables, migrations, and functions that read and write rows."""
