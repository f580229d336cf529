// Tests the documentation pages in a real browser, used as by a newcomer. Each step leaves a
// screenshot in $ARTIFACTS; docs/images/swagger-ui.png is a copy of overview.png.

import assert from 'node:assert/strict';
import { after, before, beforeEach, afterEach, test } from 'node:test';
import { join } from 'node:path';

import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';

import { launch } from './browser.js';

const CUSTOMERS = process.env['CUSTOMERS_URL']!;
const CART = process.env['CART_URL']!;
const ARTIFACTS = process.env['ARTIFACTS']!;

const ADMIN = 'admin1@email.com';
const USER = 'nonadmin3@email.com';
const USER_ID = '3';
const PASSWORD = 'testPass123';

let browser: Browser;
let context: BrowserContext;
let page: Page;
let origin: string;
// Records faults: requests to another origin, and errors or warnings in the console.
let complaints: string[];

before(async () => {
  browser = await launch();
});
after(() => browser.close());

beforeEach(async () => {
  complaints = [];
  context = await browser.newContext({ viewport: { width: 1280, height: 1000 } });
  context.setDefaultTimeout(60_000);
  page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(`exception: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    const isOwn = url.origin === origin || url.protocol === 'data:' || url.protocol === 'blob:';
    if (!isOwn) complaints.push(`request to ${request.url()}`);
  });
});
afterEach(async () => {
  await page.screenshot({ path: join(ARTIFACTS, 'last.png') });
  await context.close();
});

async function open(service: string): Promise<void> {
  origin = new URL(service).origin;
  await page.goto(`${service}/api/v1/docs`);
  assert.equal(page.url(), `${service}/api/v1/docs/`, 'redirected to the page');
  await page.locator('.opblock').first().waitFor();
}

// Opens an operation of the page.
async function operation(id: string): Promise<Locator> {
  const block = page.locator(`.opblock[id$="-${id}"]`);
  if (!(await block.getAttribute('class'))?.includes('is-open')) {
    await block.locator('.opblock-summary-control').click();
  }
  await block.locator('.execute').waitFor();
  return block;
}

// Executes the operation, and returns the answer as the page shows it.
async function execute(block: Locator): Promise<{ status: string; body: any }> {
  await block.locator('.execute').click();
  const answer = block.locator('.live-responses-table .response').first();
  await answer.waitFor();
  await block.locator('.loading-container').waitFor({ state: 'detached' });
  const status = (await answer.locator('.response-col_status').innerText()).trim().split(/\s/)[0]!;
  if (status === '204') return { status, body: undefined };
  const text = await answer.locator('.highlight-code code').first().innerText();
  return { status, body: JSON.parse(text) };
}

async function authorize(token: string): Promise<void> {
  await page.locator('.scheme-container .authorize').click();
  const dialog = page.locator('.modal-ux');
  await dialog.locator('input').fill(token);
  await dialog.locator('button.authorize').click();
  await dialog.getByText('Authorized').waitFor();
  await dialog.locator('.btn-done').click();
}

// Parts of the answer to an operation.
async function screenshot(name: string, block: Locator): Promise<void> {
  await block.locator('.execute-wrapper, .btn-group').first().evaluate((e) => e.scrollIntoView());
  await page.screenshot({ path: join(ARTIFACTS, `${name}.png`) });
}

// Logs in on the customers service's page, and returns the token for Authorize.
async function logIn(email: string): Promise<string> {
  await open(CUSTOMERS);
  const login = await operation('logIn');
  await login.locator('.body-param__text').fill(JSON.stringify({ email, password: PASSWORD }));
  const { status, body } = await execute(login);
  assert.equal(status, '200');
  await screenshot(`login-${email.split('@')[0]}`, login);
  return body.data.token;
}

test('an administrator logs in and lists the users', async () => {
  await authorize(await logIn(ADMIN));
  const list = await operation('listUsers');
  const { status, body } = await execute(list);
  assert.equal(status, '200');
  assert.ok(body.data.some((user: { email: string }) => user.email === USER));
  await screenshot('list-users', list);
  assert.deepEqual(complaints, []);
});

test('a user logs out, and the token is refused from then on', async () => {
  await authorize(await logIn(USER));
  const list = await operation('listSessions');
  await list.locator('tr[data-param-name="user_id"] input').fill(USER_ID);
  const before = await execute(list);
  assert.equal(before.status, '200');
  assert.equal(before.body.data.filter((session: { is_current: boolean }) => session.is_current).length, 1);

  const logout = await operation('logOut');
  assert.equal((await execute(logout)).status, '204');
  await screenshot('log-out', logout);
  assert.deepEqual(complaints, []);

  const after = await execute(list);
  assert.equal(after.status, '403');
  assert.equal(after.body.error.message, '403: Token is revoked');
  await open(CART);
  const get = await operation('getCart');
  await get.locator('tr[data-param-name="user_id"] input').fill(USER_ID);
  assert.equal((await execute(get)).status, '403');
});

test('the token stays when the page is loaded again', async () => {
  await authorize(await logIn(ADMIN));
  await page.reload();
  assert.equal((await execute(await operation('listUsers'))).status, '200');
  assert.deepEqual(complaints, []);
});

test('a user fills his cart', async () => {
  const token = await logIn(USER);
  await open(CART);
  await authorize(token);

  await page.screenshot({ path: join(ARTIFACTS, 'overview.png') });

  const get = await operation('getCart');
  await get.locator('tr[data-param-name="user_id"] input').fill(USER_ID);
  const shown = await execute(get);
  assert.equal(shown.status, '200');
  await screenshot('get-cart', get);
  const taken = shown.body.data.cart_items.map((item: { product_id: number }) => item.product_id);

  const products = await execute(await operation('listProducts'));
  const product = products.body.data.find(({ id }: { id: number }) => !taken.includes(id));

  const create = await operation('createCartItem');
  await create.locator('tr[data-param-name="cart_id"] input').fill(USER_ID);
  await create
    .locator('.body-param__text')
    .fill(JSON.stringify({ product_id: product.id, quantity: 2 }, null, 2));
  const created = await execute(create);
  assert.equal(created.status, '201');
  const total = (Number(shown.body.data.total_price) + 2 * Number(product.price)).toFixed(2);
  assert.equal(created.body.data.total_price, total);
  await create.locator('.live-responses-table').getByText(`"${total}"`).first().waitFor();
  await screenshot('create-item', create);
  assert.deepEqual(complaints, []);
});

test('an administrator adds a product, and a user checks it out', async () => {
  const [admin, user] = [await logIn(ADMIN), await logIn(USER)];
  await open(CART);
  await authorize(admin);
  const create = await operation('createProduct');
  await create
    .locator('.body-param__text')
    .fill(JSON.stringify({ name: 'Teapot', price: '24.90', sku: 'POT-1', stock: 3 }));
  const product = await execute(create);
  assert.equal(product.status, '201');
  await screenshot('create-product', create);

  await page.locator('.scheme-container .authorize').click();
  await page.locator('.modal-ux button', { hasText: 'Logout' }).click();
  await page.locator('.modal-ux .btn-done').click();
  await authorize(user);
  const clear = await operation('clearCart');
  await clear.locator('tr[data-param-name="user_id"] input').fill(USER_ID);
  assert.equal((await execute(clear)).status, '204');
  const put = await operation('putProduct');
  await put.locator('tr[data-param-name="user_id"] input').fill(USER_ID);
  await put
    .locator('tr[data-param-name="product_id"] input')
    .fill(String(product.body.data.id));
  await put.locator('.body-param__text').fill(JSON.stringify({ quantity: 2 }));
  const [response, filled] = await Promise.all([
    page.waitForResponse((answer) => answer.request().method() === 'PUT'),
    execute(put),
  ]);
  assert.equal(filled.status, '200');
  assert.equal(filled.body.data.total_price, '49.80');

  const checkOut = await operation('checkOut');
  await checkOut.locator('tr[data-param-name="user_id"] input').fill(USER_ID);
  await checkOut.locator('tr[data-param-name="If-Match"] input').fill(response.headers()['etag']!);
  const checkout = await execute(checkOut);
  assert.equal(checkout.status, '201');
  assert.deepEqual(
    checkout.body.data.lines.map((line: { sku: string; quantity: number }) => [line.sku, line.quantity]),
    [['POT-1', 2]],
  );
  await screenshot('check-out', checkOut);
  assert.deepEqual(complaints, []);
});

test('a wrong token is refused', async () => {
  await open(CART);
  await authorize('Bearer not.a.token');
  const get = await operation('getCart');
  await get.locator('tr[data-param-name="user_id"] input').fill(USER_ID);
  const { status, body } = await execute(get);
  assert.equal(status, '403');
  assert.match(body.error.message, /^403: Invalid authorization token, /);
  await screenshot('wrong-token', get);
  // The browser itself reports the 403 in the console.
  assert.equal(complaints.length, 1);
  assert.match(complaints[0]!, /status of 403/);
});
