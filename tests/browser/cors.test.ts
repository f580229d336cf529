// Tests pages of one service's origin that use the other service, in a real browser. with_services
// opens both services to pages of the customers service's origin and to no other.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import type { Browser } from 'playwright-core';

import { launch } from './browser.js';

const CUSTOMERS = process.env['CUSTOMERS_URL']!;
const CART = process.env['CART_URL']!;
const PRODUCTS = `${CART}/api/v1/products/list/`;

interface Seen {
  status: number;
  text: string;
  requestId: string | null;
}

let browser: Browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

// Returns the part of an answer that a script in a page of `origin` can read; nothing if the browser
// does not allow it.
async function fetchFrom(origin: string, url: string, options: RequestInit = {}): Promise<Seen | null> {
  const page = await browser.newPage();
  try {
    await page.goto(`${origin}/healthz`);
    return await page.evaluate(async ({ url, options }) => {
      let answer: Response;
      try {
        answer = await fetch(url, options);
      } catch {
        return null;
      }
      const requestId = answer.headers.get('X-Request-ID');
      return { status: answer.status, text: await answer.text(), requestId };
    }, { url, options });
  } finally {
    await page.close();
  }
}

async function login(): Promise<string> {
  const answer = await fetch(`${CUSTOMERS}/api/v1/auth/login/`, {
    method: 'POST',
    body: JSON.stringify({ email: 'nonadmin3@email.com', password: 'testPass123' }),
  });
  const body = await answer.json() as { data: { token: string } };
  return body.data.token;
}

test('a page of an allowed origin reads the products', async () => {
  const seen = await fetchFrom(CUSTOMERS, PRODUCTS);
  assert.equal(seen?.status, 200);
  assert.ok(JSON.parse(seen.text).data.length > 0);
  assert.ok(seen.requestId);
});

test('it may send a token and JSON, after a preflight', async () => {
  const headers = {
    'Authorization': await login(), 'Content-Type': 'application/json', 'X-Request-ID': 'from-a-page',
  };
  const seen = await fetchFrom(CUSTOMERS, `${CART}/api/v1/cart/3/`, { headers });
  assert.equal(seen?.status, 200);
  assert.equal(seen.requestId, 'from-a-page');
  const item = JSON.parse(seen.text).data.cart_items[0];
  const changed = await fetchFrom(CUSTOMERS, `${CART}/api/v1/cart-item/${item.id}/`, {
    method: 'PATCH', headers, body: JSON.stringify({ quantity: 2 }),
  });
  assert.equal(changed?.status, 200);
});

test('it reads errors', async () => {
  const seen = await fetchFrom(CUSTOMERS, `${CART}/api/v1/cart/3/`);
  assert.equal(seen?.status, 403);
  assert.ok(seen.text.includes('Invalid authorization header'));
});

test('a page of another origin reads nothing', async () => {
  assert.equal(await fetchFrom(CART, `${CUSTOMERS}/api/v1/auth/login/`, { method: 'POST' }), null);
  const headers = { Authorization: await login() };
  assert.equal(await fetchFrom(CART, `${CUSTOMERS}/api/v1/users/3/`, { headers }), null);
  // The browser allows it for the page's own origin.
  assert.equal((await fetchFrom(CART, PRODUCTS))?.status, 200);
});
