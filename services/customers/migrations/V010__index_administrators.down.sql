-- Back to a search of all accounts.
DROP INDEX ix__users__administrator;
