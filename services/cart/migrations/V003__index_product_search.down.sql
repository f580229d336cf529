-- The extension stays: it may have been there before, and others may use it.
DROP INDEX ix__products__search;
