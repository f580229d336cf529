"""Carts to act on."""

import dataclasses

from microcart.testing.accounts import Account, Accounts
from microcart.testing.client import Client


@dataclasses.dataclass(frozen=True)
class Item:
    owner: Account
    id: int


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

    def item(self, product: int = 1, quantity: int = 1) -> Item:
        """Returns the only item of a new account's cart."""
        account = self.owner()
        return Item(account, self.add(account, product, quantity)["cart_items"][0]["id"])
