"""What the end-to-end tests stand on: PostgreSQL, certificates, services, a checking client."""
