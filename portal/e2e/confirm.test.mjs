// A holder's stories of online purchases: waiting, confirmed, refused, and the device that does it.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { ANA, accessible, fits, openBrowser, openPerson, openSwitch, picture, register } from "./support.mjs";

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser.close());

async function story(options, tell) {
  const cekr = await openSwitch();
  try {
    const person = await openPerson(browser, cekr.url, options);
    try {
      await tell({ cekr, ...person });
      assert.deepEqual(person.complaints, []);
    } finally {
      await person.context.close();
    }
  } finally {
    await cekr.close();
  }
}

const SERVER = "8a880dc0-d2d2-4067-bcb1-b08d1690b26e";

/** A shop asks about a purchase with ana's card, and its buyer's browser comes: the acsTransID. */
async function buy(url, { cents, payee }) {
  const areq = {
    messageVersion: "2.2.0", messageType: "AReq", threeDSServerTransID: SERVER,
    dsTransID: "f25084f0-5b16-4c0a-ae5d-b24808a95e4b", dsReferenceNumber: "DS_SIM_001",
    dsURL: "https://127.0.0.1/ds/rreq", threeDSServerRefNumber: "SRV_SIM_001",
    threeDSServerURL: "https://127.0.0.1/3dss/rreq", threeDSRequestorID: "REQ1",
    threeDSRequestorName: "Shop", threeDSRequestorURL: "https://shop.invalid/cart",
    threeDSRequestorAuthenticationInd: "01", threeDSRequestorChallengeInd: "04", threeDSCompInd: "N",
    notificationURL: "https://shop.invalid/3ds", deviceChannel: "02", messageCategory: "01",
    acquirerBIN: "412345", acquirerMerchantID: "MERCH000000001", acctNumber: "4761730000000011",
    cardExpiryDate: "3012", merchantName: payee, merchantCountryCode: "705", mcc: "5732",
    purchaseAmount: String(cents), purchaseCurrency: "978", purchaseExponent: "2",
    purchaseDate: "20261122101500", transType: "01", browserIP: "198.51.100.42",
    browserAcceptHeader: "text/html", browserLanguage: "sl-SI", browserUserAgent: "Mozilla/5.0",
    browserScreenWidth: "1920", browserScreenHeight: "1080", browserColorDepth: "24",
    browserTZ: "-60", browserJavaEnabled: false, browserJavascriptEnabled: true,
  };
  const asked = await fetch(`${url}/3ds/areq`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(areq),
  });
  const ares = await asked.json();
  assert.equal(ares.transStatus, "C", JSON.stringify(ares));
  const creq = { threeDSServerTransID: SERVER, acsTransID: ares.acsTransID, messageVersion: "2.2.0",
    messageType: "CReq", challengeWindowSize: "05" };
  const came = await fetch(`${url}/3ds/creq`, {
    method: "POST", redirect: "manual",
    body: new URLSearchParams({ creq: Buffer.from(JSON.stringify(creq)).toString("base64url") }),
  });
  assert.equal(came.status, 303);
  return ares.acsTransID;
}

/** How the buyer's page ends. */
async function ended(url, id) {
  const answer = await fetch(`${url}/3ds/challenge/${id}/end`);
  return (await answer.json()).ended;
}

test("a purchase appears by itself, is confirmed with the passkey, and the shop hears", () =>
  story({}, async ({ cekr, page }) => {
    await register(page, ANA);
    await page.goto("/confirmations");
    await page.evaluate(() => { window.isTheSamePage = true; });
    const id = await buy(cekr.url, { cents: 3900, payee: "Knjigarna Čriček" });
    await page.waitForSelector(`#purchase-${id}`);
    assert.equal(await page.evaluate(() => window.isTheSamePage), true, "nothing was reloaded");
    assert.equal(await page.textContent(".purchase .payee"), "Knjigarna Čriček");
    assert.match(await page.textContent(".purchase .amount"), /39,00/);
    await picture(page, "confirm-waiting");
    await accessible(page);
    await fits(page);
    await page.waitForFunction(() => Number(document.querySelector("[data-left]").dataset.left) < 299);
    const waiting = ended(cekr.url, id);
    await page.click(`#approve-${id} button`);
    await page.waitForURL(`**/confirmations/${id}`);
    assert.match(await page.textContent("#confirm-state"), /Vrnite se v trgovino/);
    assert.equal(await waiting, true);
    await picture(page, "confirm-done");
    await accessible(page);
  }));

test("every open page says that a purchase waits, and it is refused without JavaScript", () =>
  story({ locale: "en-GB", width: 320 }, async ({ cekr, page, context }) => {
    await register(page, ANA);
    await page.waitForSelector("#card-live");
    const id = await buy(cekr.url, { cents: 4000, payee: "<b>A shop</b> \u202e" });
    await page.waitForSelector("#waiting a");
    assert.match(await page.textContent("#waiting a"), /1 online purchase is waiting/);
    await picture(page, "confirm-notice");
    await fits(page);
    await accessible(page);
    const state = await context.storageState();
    const plain = await browser.newContext({ baseURL: cekr.url, storageState: state,
      javaScriptEnabled: false, locale: "en-GB", viewport: { width: 320, height: 700 } });
    const quiet = await plain.newPage();
    await quiet.goto("/confirmations");
    assert.match(await quiet.textContent(".purchase .payee"), /A shop/);
    assert.equal(await quiet.locator(".purchase b").count(), 0);
    await quiet.click(`#purchase-${id} .danger`);
    await quiet.waitForSelector("#confirm-state");
    assert.match(await quiet.textContent("#confirm-state"), /refused/);
    await plain.close();
  }));

for (const locale of ["sl-SI", "en-GB"]) {
  for (const width of [320, 1280]) {
    test(`the page of confirmations in ${locale} fits ${width} px and has no fault of access`, () =>
      story({ locale, width, colorScheme: width === 320 ? "dark" : "light" }, async ({ cekr, page }) => {
        await register(page, ANA);
        const look = async (name) => {
          await fits(page);
          await accessible(page);
          await picture(page, `${locale.slice(0, 2)}-confirm-${name}`);
        };
        await page.goto("/confirmations");
        await look("none");
        const long = "Proizvodnja in prodaja nadvse imenitnih izd";
        const id = await buy(cekr.url, { cents: 123456, payee: long.slice(0, 40) });
        const other = await buy(cekr.url, { cents: 3300, payee: "Shop" });
        await page.waitForSelector(`#purchase-${other}`);
        await look("two");
        await page.goto(`/confirmations/${id}`);
        await look("one");
        await page.click("form[action$='/refuse'] button");
        await page.waitForSelector("#confirm-state");
        await look("refused");
        await page.goto("/confirmations");
        await page.click("form[action$='/no-device'] button");
        await page.waitForSelector("form[action$='/device'] + *, .notice.heed");
        await look("no-device");
        await page.click("form[action$='/device'] button");
        await page.waitForSelector("form[action$='/no-device'] button");
      }));
  }
}
