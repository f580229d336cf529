-- Only the speed of a search for fewer than three letters is lost.
DROP INDEX ix__products__grams;
DROP FUNCTION grams(text);
