"""Carts and products to act on."""

import dataclasses

from microcart.testing.accounts import Account, Accounts
from microcart.testing.client import Client


@dataclasses.dataclass(frozen=True)
class Item:
    owner: Account
    id: int


class Products:
    """Makes and changes products in the cart service's database."""

    def __init__(self, cluster, database: str):
        self._cluster = cluster
        self._database = database

    def create(self, **columns) -> int:
        """Makes a product and returns its id."""
        columns = {"name": "Made", "description": "", "price": "10.00", **columns}
        [(product,)] = self._cluster.query(
            self._database, f"INSERT INTO products ({', '.join(columns)}) "
            f"VALUES ({', '.join(['%s'] * len(columns))}) RETURNING id", *columns.values())
        return product

    def change(self, product: int, **columns) -> None:
        changes = ", ".join(f"{name} = %s" for name in columns)
        self._cluster.query(self._database, f"UPDATE products SET {changes} WHERE id = %s",
                            *columns.values(), product)

    def stock(self, product: int) -> int | None:
        [(stock,)] = self._cluster.query(
            self._database, "SELECT stock FROM products WHERE id = %s", product)
        return stock


class Carts:
    """Makes carts and items through the API of the cart service."""

    def __init__(self, cart: Client, accounts: Accounts):
        self._cart = cart
        self._accounts = accounts

    def owner(self, **fields) -> Account:
        """Makes an account with an empty cart."""
        account = self._accounts.create(**fields)
        self._cart.get(f"/api/v1/cart/{account.id}/", account.token).ok()
        return account

    def add(self, account: Account, product: int = 1, quantity: int = 1) -> dict:
        """Adds an item and returns the cart."""
        return self._cart.post(f"/api/v1/cart-item/{account.id}/create", account.token,
                               {"product_id": product, "quantity": quantity}).ok(201)

    def get(self, account: Account):
        """Returns the answer to a GET of the cart."""
        return self._cart.get(f"/api/v1/cart/{account.id}/", account.token)

    def put(self, account: Account, product: int, quantity: int = 1):
        """Sets a product's quantity and returns the answer."""
        return self._cart.put(f"/api/v1/cart/{account.id}/products/{product}/", account.token,
                              {"quantity": quantity})

    def check_out(self, account: Account, tag: str = "*"):
        """Checks the cart out in the state of a tag, or in its present state; the answer."""
        return self._cart.post(f"/api/v1/cart/{account.id}/checkout/", account.token,
                               headers={"If-Match": tag})

    def item(self, product: int = 1, quantity: int = 1) -> Item:
        """Returns the only item of a new account's cart."""
        account = self.owner()
        return Item(account, self.add(account, product, quantity)["cart_items"][0]["id"])
