-- Demonstration accounts. The password of each is testPass123, as argon2id (19 MiB, 2 passes).
--
-- Only ids that the sequence has never given out are used, and no account is touched: installing
-- again changes nothing and brings back nothing that was deleted.
INSERT INTO users (id, email, first_name, last_name, password, is_admin)
SELECT demo.*
FROM (VALUES
    (1, 'admin1@email.com', 'Michelle', 'Zimmerman',
     '$argon2id$v=19$m=19456,t=2,p=1$mrm7NCsI4OEiKQxoVKjItA$7JJjOJ1atq39fb6Gs4bzxXoPTAZvNeP5076SZ/dl1ZM',
     true),
    (2, 'admin2@email.com', 'Kylie', 'Gibbs',
     '$argon2id$v=19$m=19456,t=2,p=1$Ll/Q/vzraTirQAluz+EQ5w$gZf8vyuuebiRbDwVmMRxyJnhYTsp7O+V+hStZUjAu+g',
     true),
    (3, 'nonadmin3@email.com', 'Penny', 'Gibson',
     '$argon2id$v=19$m=19456,t=2,p=1$L7O049GLWZ6AOVLVRkx/ng$qJo3hbtoY9VtXQNMQMKw19onWse5fG8x5AFg1Otr1As',
     false),
    (4, 'nonadmin4@email.com', 'William', 'Jarvis',
     '$argon2id$v=19$m=19456,t=2,p=1$9FhR3OGYFEKQlseS/LblKA$QNWNNEm9lxBY6gvR9owmnNIuqOapIXXkNNGteI2kxdA',
     false)
) AS demo (id, email, first_name, last_name, password, is_admin),
    users_id_seq AS given
WHERE demo.id > given.last_value OR (demo.id = given.last_value AND NOT given.is_called)
ON CONFLICT DO NOTHING;

SELECT setval('users_id_seq', max(id))
FROM users
HAVING max(id) >= (SELECT last_value FROM users_id_seq);
