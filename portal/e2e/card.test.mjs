// A holder's stories in a real browser: register, sign in, ticks, lock, report, live, in sl and en.
import { test } from "node:test";
import assert from "node:assert/strict";
import { ANA, accessible, fits, picture, reach, register, stories } from "./support.mjs";

const story = stories();

/** Waits for a line of the history without any reload, and says how long it took in ms. */
async function seen(page, words) {
  const begun = Date.now();
  await page.waitForFunction((words) =>
    document.querySelector("#card-live .entries li")?.textContent.includes(words), words);
  return Date.now() - begun;
}

test("an untick declines the next payment and the page shows it live", () =>
  story({}, async ({ cekr, page }) => {
    await register(page, ANA);
    await page.evaluate(() => { window.isTheSamePage = true; });
    const abroad = page.locator("#switch-abroad");
    assert.equal(await abroad.getAttribute("aria-checked"), "true");
    await cekr.purchase({ card: "ana", amount: "12.00", country: "HR", expect: "00" });
    await seen(page, "Hrvaška");
    assert.match(await page.textContent(".plastic .available"), /88,00/);

    await abroad.click();
    await page.waitForSelector("#switch-abroad[aria-checked=false]");
    await cekr.purchase({ card: "ana", amount: "3.00", country: "HR", expect: "57" });
    const took = await seen(page, "Zavrnjeno");
    assert.ok(took < 1_000, `${took} ms`);
    assert.match(await page.textContent("#card-live .entries li"), /Plačila v tujini/);
    await picture(page, "card-declined");

    // Signed in with a passkey a moment ago: the proof is fresh.
    await page.click("#switch-abroad");
    await page.waitForSelector("#switch-abroad[aria-checked=true]");
    await cekr.purchase({ card: "ana", amount: "3.00", country: "HR", expect: "00" });
    await seen(page, "3,00");
    assert.equal(await page.evaluate(() => window.isTheSamePage), true, "nothing was reloaded");
  }));

test("a lock stops everything, leads to the phone, and opens again with a proof", () =>
  story({ locale: "en-GB", width: 1280 }, async ({ cekr, page }) => {
    await register(page, ANA);
    await page.click("#lock");
    await page.waitForSelector("#card-locked");
    assert.match(await page.textContent("#card-locked"), /\+386 \(0\)14 772 000/);
    await cekr.purchase({ card: "ana", amount: "3.20", expect: "62" });
    await seen(page, "The card is locked");
    await picture(page, "card-locked");
    await accessible(page);

    const card = new URL(page.url()).pathname;
    await page.goto(`/prove?next=${card}/unlock`);
    await picture(page, "prove");
    await accessible(page);
    await page.click("form[data-passkey=get] button");
    await page.waitForURL((url) => url.pathname.endsWith("/unlock"));
    await picture(page, "unlock");
    await accessible(page);
    await page.click("#confirm");
    await page.waitForSelector("#lock");
    await cekr.purchase({ card: "ana", amount: "3.20", expect: "00" });
  }));

test("a report is confirmed, final, and stops the card", () =>
  story({}, async ({ cekr, page }) => {
    await register(page, ANA);
    await page.click("a[href$='/report']");
    await picture(page, "report");
    await accessible(page);
    await fits(page);
    await page.check("input[value=stolen]");
    await page.click("#confirm");
    await page.waitForSelector("#card-reported");
    await cekr.purchase({ card: "ana", amount: "3.20", expect: "43" });
    await seen(page, "ukradena");
    await picture(page, "card-reported");
    await accessible(page);
  }));

test("everything can be done with the keyboard", () =>
  story({ width: 1280 }, async ({ page }) => {
    await register(page, ANA);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await reach(page, "#switch-online");
    await page.keyboard.press("Space");
    await page.waitForSelector("#switch-online[aria-checked=false]");
    assert.equal(await page.evaluate(() => document.activeElement.id), "switch-online", "focus stays");
    await reach(page, "#lock");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#card-locked");
  }));

test("forms work without JavaScript", () =>
  story({ width: 320 }, async ({ cekr, browser, page, context }) => {
    await register(page, ANA);
    const state = await context.storageState();
    const plain = await browser.newContext({ baseURL: cekr.url, storageState: state,
      javaScriptEnabled: false, viewport: { width: 320, height: 700 } });
    const quiet = await plain.newPage();
    await quiet.goto("/cards");
    await quiet.click("#switch-abroad");
    await quiet.waitForSelector("#switch-abroad[aria-checked=false]");
    await quiet.click("button[value=en]");
    await quiet.waitForSelector("html[lang=en]");
    await quiet.click("#lock");
    await quiet.waitForSelector("#card-locked");
    await plain.close();
    await seen(page, "zaklenjena");
  }));

test("a session that was ended elsewhere takes the page with it", () =>
  story({}, async ({ page, context }) => {
    await register(page, ANA);
    const other = await context.newPage();
    await other.goto("/devices");
    await other.locator("form[action='/sign-out'] button").first().click();
    await page.bringToFront();
    await page.waitForURL((url) => url.pathname === "/sign-in", { timeout: 15_000 });
  }));

test("whoever types the machine's number comes to its name, where passkeys are good", () =>
  story({}, async ({ cekr, page }) => {
    await page.goto(`${cekr.url.replace("localhost", "127.0.0.1")}/fee?amount=50`);
    assert.equal(page.url(), `${cekr.url}/fee?amount=50`);
    await page.click("button[value=en]");
    await page.waitForSelector("html[lang=en]");
  }));
