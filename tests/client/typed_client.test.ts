// Tests the clients that openapi-typescript and openapi-fetch make from the documents against running
// services. Half of the test is that it compiles, because the compiler checks paths, parameters,
// bodies and answers against docs/openapi/.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import createClient from 'openapi-fetch';

import type { components as CartComponents, paths as CartPaths } from './api/cart.js';
import type { components, operations, paths as CustomersPaths } from './api/customers.js';

const customers = createClient<CustomersPaths>({ baseUrl: process.env['CUSTOMERS_URL']! });
const cart = createClient<CartPaths>({ baseUrl: process.env['CART_URL']! });

type UserPage = operations['listUsers']['responses']['200']['content']['application/json'];

const USER = 'nonadmin4@email.com';
const PASSWORD = 'testPass123';
const USER_ID = 4;

async function logIn(email: string): Promise<{ Authorization: string }> {
  const { data, error } = await customers.POST('/api/v1/auth/login/', {
    body: { email, password: PASSWORD },
  });
  assert.ok(data, JSON.stringify(error));
  return { Authorization: data.data.token };
}

test('an administrator lists users, page by page', async () => {
  const headers = await logIn('admin1@email.com');
  const listUsers = async (after: number): Promise<UserPage> => {
    const { data } = await customers.GET('/api/v1/users/list/', {
      params: { query: { limit: 3, after } },
      headers,
    });
    assert.ok(data);
    return data;
  };

  const ids: number[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const page = await listUsers(after);
    ids.push(...page.data.map((user) => user.id));
    after = page.next;
  }
  assert.deepEqual(ids, [1, 2, 3, 4]);
});

test('a user is told what he may not do, and what is wrong', async () => {
  const headers = await logIn(USER);
  const list = await customers.GET('/api/v1/users/list/', { headers });
  assert.equal(list.response.status, 403);
  assert.equal(list.error?.error.code, 'forbidden');

  const change = await customers.PATCH('/api/v1/users/{user_id}/', {
    params: { path: { user_id: USER_ID } },
    body: { first_name: '' },
    headers,
  });
  assert.ok(change.error && 'fields' in change.error.error);
  assert.deepEqual(change.error.error.fields, {
    first_name: ['Length must be between 1 and 256.'],
  });
});

test('a user ends a session and logs out', async () => {
  const [headers, other] = [await logIn(USER), await logIn(USER)];
  const path = { user_id: USER_ID };
  const listSessions = async (): Promise<components['schemas']['Session'][]> => {
    const { data } = await customers.GET('/api/v1/users/{user_id}/sessions/', {
      params: { path },
      headers,
    });
    assert.ok(data);
    return data.data;
  };

  const [latest, current] = await listSessions();
  assert.ok(latest && current);
  assert.deepEqual([latest.is_current, current.is_current], [false, true]);
  const ended = await customers.DELETE('/api/v1/users/{user_id}/sessions/{session_id}/', {
    params: { path: { ...path, session_id: latest.id } },
    headers,
  });
  assert.equal(ended.response.status, 204);
  assert.equal((await listSessions())[0]?.id, current.id);
  assert.equal((await customers.POST('/api/v1/auth/logout/', { headers: other })).response.status, 403);

  assert.equal((await customers.POST('/api/v1/auth/logout/', { headers })).response.status, 204);
  const after = await customers.GET('/api/v1/users/{user_id}/', { params: { path }, headers });
  assert.equal(after.error?.error.message, '403: Token is revoked');
});

test('an administrator helps a user who has lost the password', async () => {
  const headers = await logIn('admin1@email.com');
  const { data: made } = await customers.POST('/api/v1/users/{user_id}/recovery/', {
    params: { path: { user_id: USER_ID } },
    headers,
  });
  assert.ok(made);
  const recovery = { new_password: PASSWORD, confirm_new_password: PASSWORD };
  const wrong = await customers.POST('/api/v1/auth/recover/', {
    body: { code: `not ${made.data.code}`, ...recovery },
  });
  assert.ok(wrong.error && 'fields' in wrong.error.error);
  assert.deepEqual(wrong.error.error.fields, { code: ['Invalid or expired code.'] });
  const right = await customers.POST('/api/v1/auth/recover/', {
    body: { code: made.data.code, ...recovery },
  });
  assert.equal(right.response.status, 200);
  await logIn(USER);
});

test('an administrator adds a product and takes it off sale', async () => {
  const headers = await logIn('admin1@email.com');
  const { data: created } = await cart.POST('/api/v1/products/create/', {
    body: { name: 'Desk lamp', price: '24.90', sku: 'CLIENT-1', stock: 3 },
    headers,
  });
  assert.ok(created);
  const product: CartComponents['schemas']['Product'] = created.data;
  const params = { path: { product_id: product.id } };
  const { data: changed } = await cart.PATCH('/api/v1/products/{product_id}/', {
    params,
    body: { sku: null, stock: null },
    headers,
  });
  assert.deepEqual(changed?.data, { ...product, sku: null, stock: null });

  const { data: sorted } = await cart.GET('/api/v1/products/list/', {
    params: { query: { sort: '-price', min_price: '20', limit: 1 } },
  });
  assert.equal(typeof sorted?.next, 'string');
  assert.ok(sorted?.next);
  const { data: rest } = await cart.GET('/api/v1/products/list/', {
    params: { query: { sort: '-price', min_price: '20', after: String(sorted.next) } },
  });
  assert.ok(rest?.data.some(({ id }) => id === product.id));

  const removed = await cart.DELETE('/api/v1/products/{product_id}/', { params, headers });
  assert.equal(removed.response.status, 204);
  const { data: all } = await cart.GET('/api/v1/products/all/', { headers });
  assert.equal(all?.data.find(({ id }) => id === product.id)?.is_active, false);
  const one = await cart.GET('/api/v1/products/{product_id}/', { params });
  assert.equal(one.data?.data.is_active, false);
});

test('a user buys', async () => {
  const headers = await logIn(USER);
  const { data: products } = await cart.GET('/api/v1/products/list/', {
    params: { query: { search: 'product' } },
  });
  assert.ok(products);

  const path = { user_id: USER_ID };
  const { data: before } = await cart.GET('/api/v1/cart/{user_id}/', { params: { path }, headers });
  assert.ok(before);
  const taken = new Set(before.data.cart_items.map((item) => item.product_id));
  const product = products.data.find(({ id }) => !taken.has(id));
  assert.ok(product);

  const created = await cart.POST('/api/v1/cart-item/{cart_id}/create', {
    params: { path: { cart_id: USER_ID } },
    body: { product_id: product.id, quantity: 2 },
    headers,
  });
  assert.equal(created.response.status, 201);
  const filled: CartComponents['schemas']['Cart'] | undefined = created.data?.data;
  assert.ok(filled);
  assert.equal(
    Number(filled.total_price).toFixed(2),
    (Number(before.data.total_price) + 2 * Number(product.price)).toFixed(2),
  );

  const item = filled.cart_items.find(({ product_id }) => product_id === product.id);
  assert.ok(item);
  const removed = await cart.DELETE('/api/v1/cart-item/{item_id}/', {
    params: { path: { item_id: item.id } },
    headers,
  });
  assert.equal(removed.response.status, 204);
});

test('a guest becomes a customer and checks out', async () => {
  const headers = await logIn(USER);
  const path = { user_id: USER_ID };
  const product = { ...path, product_id: 2 };
  const put = await cart.PUT('/api/v1/cart/{user_id}/products/{product_id}/', {
    params: { path: product },
    body: { quantity: 1 },
    headers,
  });
  assert.equal(put.data?.data.cart_items.find(({ product_id }) => product_id === 2)?.quantity, 1);
  const added = await cart.POST('/api/v1/cart/{user_id}/products/{product_id}/add/', {
    params: { path: product },
    body: { quantity: 1 },
    headers,
  });
  assert.equal(added.data?.data.cart_items.find(({ product_id }) => product_id === 2)?.quantity, 2);

  const merged = await cart.POST('/api/v1/cart/{user_id}/merge/', {
    params: { path },
    body: {
      items: [
        { product_id: 1, quantity: 3 },
        { product_id: 999999, quantity: 1 },
      ],
    },
    headers,
  });
  assert.ok(merged.data);
  assert.deepEqual(merged.data.data.skipped, [999999]);
  const tag = merged.response.headers.get('ETag');
  assert.ok(tag);

  const stale = await cart.DELETE('/api/v1/cart/{user_id}/', {
    params: { path, header: { 'If-Match': '"another state"' } },
    headers,
  });
  assert.equal(stale.error?.error.code, 'precondition_failed');

  const checkOut = () =>
    cart.POST('/api/v1/cart/{user_id}/checkout/', {
      params: { path, header: { 'If-Match': tag } },
      headers,
    });
  const first = await checkOut();
  assert.equal(first.response.status, 201);
  assert.ok(first.data);
  assert.equal(first.data.data.total_price, merged.data.data.cart.total_price);
  const again = await checkOut();
  assert.equal(again.response.status, 200);
  assert.deepEqual(again.data, first.data);

  const shown = await cart.GET('/api/v1/checkouts/{checkout_id}/', {
    params: { path: { checkout_id: first.data.data.id } },
    headers,
  });
  assert.deepEqual(shown.data, first.data);
  const own = await cart.GET('/api/v1/cart/{user_id}/checkouts/', { params: { path }, headers });
  assert.deepEqual(own.data?.data, [first.data.data]);
  const feed = await cart.GET('/api/v1/checkouts/list/', {
    params: { query: { after: 0 } },
    headers: await logIn('admin1@email.com'),
  });
  assert.deepEqual(feed.data?.data, [first.data.data]);
});
