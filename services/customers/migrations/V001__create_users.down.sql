-- Takes every account with it, also those of a database that was taken over.
DROP TABLE users;
