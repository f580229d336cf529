-- Back to changes whose right is checked beforehand alone.
DROP FUNCTION authorize(integer, integer, integer, integer, boolean, boolean);
