// What a person does on the pages, through what they see: roles and names.

/** @import { BrowserContext, Locator, Page } from 'playwright-core' */

/**
 * Opens a group's page and goes through its door.
 *
 * @param {BrowserContext} context
 * @param {string} url
 * @param {string} name
 * @param {string} [password] Given when the door asks for one.
 * @returns {Promise<Page>}
 */
export async function enter(context, url, name, password) {
  const page = await context.newPage();
  page.on('pageerror', error => {
    throw new Error(`the page of ${name} failed`, { cause: error });
  });
  await page.goto(url);
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Join', exact: true }).click();
  if (password !== undefined) {
    await page.getByLabel('Password', { exact: true }).fill(password);
    await page.getByRole('button', { name: 'Join', exact: true }).click();
  }
  await page.getByRole('button', { name: 'Leave' }).waitFor();
  return page;
}

/**
 * Opens the chat, if it is not open.
 *
 * @param {Page} page
 * @returns {Promise<Locator>} The field that messages are written in.
 */
export async function openChat(page) {
  const field = page.getByRole('textbox', { name: 'Write a message' });
  if (!(await field.isVisible()))
    await page.getByRole('button', { name: /^Chat/ }).click();
  return field;
}

/**
 * @param {Page} page
 * @param {string} text
 */
export async function sendChat(page, text) {
  const field = await openChat(page);
  await field.fill(text);
  await field.press('Enter');
}

/**
 * @param {Page} page
 * @param {string} text
 */
export async function waitText(page, text) {
  await openChat(page);
  await page.getByRole('log').getByText(text, { exact: true }).first().waitFor();
}
