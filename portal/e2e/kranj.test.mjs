// Smart Kranj in a real browser: points after clearing, switches, merchants, and a phone without a network.
import { test } from "node:test";
import assert from "node:assert/strict";
import { writeFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ANA, accessible, fits, good, picture, reach, register, stories } from "./support.mjs";

const story = stories();

/** Posts a clearing file of one line about ana's newest purchases at the sample's shop. */
async function clear(cekr, cents) {
  const file = join(tmpdir(), `kranj-${process.pid}-${cents}.csv`);
  const head = "line,card,network_id,rrn,auth_code,amount,currency,merchant,mcc,date\n";
  const line = `1,4761730000000011,,,,${cents},EUR,CEKRSHOP0000001,5411,2026-11-22\n`;
  await writeFile(file, head + line);
  try {
    await cekr.clear(file);
  } finally {
    await rm(file);
  }
}

for (const locale of ["sl-SI", "en-GB"]) {
  test(`points come with clearing, and the page shows them by itself (${locale})`, () =>
    story({ locale, width: 320 }, async ({ cekr, page }) => {
      const words = locale === "sl-SI"
        ? { none: "0 točk", some: "24 točk", next: "manjka 476 točk" }
        : { none: "0 points", some: "24 points", next: "476 more points" };
      await register(page, ANA);
      await page.goto("/kranj");
      await page.waitForURL((url) => /^\/kranj\/./.test(url.pathname));
      assert.equal(await page.textContent("#points"), words.none);
      await good(page, "kranj-empty");
      await clear(cekr, 2490);
      await page.waitForFunction((some) => document.querySelector("#points")?.textContent === some, words.some);
      assert.match(await page.textContent("#next-tier"), new RegExp(words.next));
      await good(page, "kranj");
      await page.goto("/kranj/merchants?q=knjig");
      assert.match(await page.textContent(".enrolled"), /Knjigarne/);
      await good(page, "kranj-merchants");
    }));
}

test("a switch is moved and the card locked without leaving the page, by keyboard too", () =>
  story({ width: 1280 }, async ({ cekr, page }) => {
    await register(page, ANA);
    await page.goto("/kranj");
    await page.waitForSelector("#switch-abroad[aria-checked=true]");
    await page.evaluate(() => { window.isTheSamePage = true; });
    await reach(page, "#switch-abroad");
    await page.keyboard.press("Space");
    await page.waitForSelector("#switch-abroad[aria-checked=false]");
    assert.equal(await page.evaluate(() => window.isTheSamePage), true, "nothing was reloaded");
    await cekr.purchase({ card: "ana", amount: "3.00", country: "HR", expect: "57" });
    await page.click("#lock");
    await page.waitForSelector("#card-locked");
    assert.match(new URL(page.url()).pathname, /^\/kranj\/./);
    await accessible(page);
  }));

test("without JavaScript the page's forms lead back to it", () =>
  story({ width: 320 }, async ({ cekr, browser, page, context }) => {
    await register(page, ANA);
    const plain = await browser.newContext({ baseURL: cekr.url, storageState: await context.storageState(),
      javaScriptEnabled: false, viewport: { width: 320, height: 700 } });
    const quiet = await plain.newPage();
    await quiet.goto("/kranj");
    await quiet.click("#switch-online");
    await quiet.waitForSelector("#switch-online[aria-checked=false]");
    assert.match(new URL(quiet.url()).pathname, /^\/kranj\/./);
    await plain.close();
  }));

test("a phone without a network gets the page that is nobody's own, and nothing else is kept", () =>
  story({}, async ({ page, context }) => {
    await register(page, ANA);
    await page.goto("/kranj");
    await page.waitForSelector("#points");
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => {
      const { controller } = navigator.serviceWorker;
      return controller ?? new Promise((done) =>
        navigator.serviceWorker.addEventListener("controllerchange", done, { once: true }));
    }).then(() => undefined));
    const kept = await page.evaluate(async () => {
      const names = await caches.keys();
      const each = await Promise.all(names.map(async (name) => (await (await caches.open(name)).keys())));
      return each.flat().map((request) => new URL(request.url).pathname);
    });
    assert.equal(kept.length, 3, String(kept));
    assert.ok(kept.includes("/offline") && kept.every((path) => path === "/offline" || path.startsWith("/assets/")));
    const fresh = await context.newPage();
    await context.setOffline(true);
    await fresh.goto("/kranj");
    assert.equal(await fresh.textContent("h1"), "Ni povezave");
    assert.doesNotMatch(await fresh.content(), /csrf|•/);
    await fits(fresh);
    await picture(fresh, "kranj-offline");
    await context.setOffline(false);
    await fresh.click("a.button");
    await fresh.waitForSelector("#points");
    await fresh.close();
  }));
