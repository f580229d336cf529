-- Back to counting guesses from their beginning.
DROP FUNCTION count_right_guess(text, text[], integer[], integer, integer, integer);
DROP FUNCTION count_wrong_guess(text, text[], integer[], integer, integer, integer);
DROP FUNCTION guess_wait(text, text[], integer[], integer, integer, integer);
DROP FUNCTION guess_rows(text, text[], integer[], integer, integer);
