// Operators' stories in a real browser: a card found and locked, statements, suspense by two people.
import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import { accessible, fits, openBrowser, openPerson, openSwitch, picture } from "./support.mjs";

const TOKEN = "a-token-for-stories";
const STATEMENT = new URL("../../tests/vectors/domain/camt/05-camt053-v02-eod.xml", import.meta.url).pathname;

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser.close());

async function story(tell) {
  const cekr = await openSwitch([], "none", { CEKR_OPERATOR_TOKEN: TOKEN });
  const people = [];
  /** Somebody with these roles, who has registered a passkey and is at their desk. */
  const operator = async (name, roles, options) => {
    const made = await fetch(`${cekr.url}/v1/operators`, {
      method: "POST", body: JSON.stringify({ name, roles }),
      headers: { "Authorization": `Bearer ${TOKEN}`, "Content-Type": "application/json" },
    });
    assert.equal(made.status, 200);
    const { code } = await made.json();
    const person = await openPerson(browser, cekr.url, { width: 1280, ...options });
    people.push(person);
    await person.page.goto("/desk/register");
    await person.page.fill("#name", name);
    await person.page.fill("#code", code);
    await person.page.click("main form button");
    await person.page.waitForSelector("form[data-passkey=create]");
    await person.page.click("form[data-passkey=create] button");
    await person.page.waitForURL("**/desk");
    return person.page;
  };
  try {
    await tell({ cekr, operator });
    for (const person of people) assert.deepEqual(person.complaints, []);
  } finally {
    for (const person of people) await person.context.close();
    await cekr.close();
  }
}

test("support finds a card by its last digits, reads its story and locks it", () =>
  story(async ({ cekr, operator }) => {
    await cekr.purchase({ card: "ana", amount: "12.00", country: "HR", expect: "00" });
    const page = await operator("Maja Novak", ["support"], { answers: [403] });
    await accessible(page);
    await page.goto("/desk/cards");
    await accessible(page);
    await page.fill("#query", "0011");
    await page.click("#find");
    await page.waitForURL("**/desk/cards/card_*");
    assert.match(await page.textContent("#main"), /476173\*{6}0011/);
    assert.match(await page.textContent(".entries"), /12,00/);
    await accessible(page);
    await picture(page, "desk-card");
    await page.click("#lock");
    await page.waitForSelector("#unlock");
    assert.match(await page.textContent("#main"), /Maja Novak/);
    await cekr.purchase({ card: "ana", amount: "3.20", expect: "62" });
    const refused = await page.goto("/desk/books");
    assert.equal(refused.status(), 403);
    assert.match(await page.textContent("#main"), /Finance/);
  }));

test("finance imports a statement, and two people say whose the money is", () =>
  story(async ({ operator }) => {
    const maja = await operator("Maja", ["finance"]);
    await maja.goto("/desk/statements");
    await accessible(maja);
    await maja.setInputFiles("#file", STATEMENT);
    await maja.click("#import");
    await maja.waitForSelector("#report-title");
    await accessible(maja);
    await picture(maja, "desk-statements");
    await maja.goto("/desk/suspense");
    await accessible(maja);
    const waiting = await maja.locator("section.card").count();
    assert.ok(waiting > 0);
    await maja.locator("section.card input[name=mok_id]").first().fill("123456782");
    await maja.locator("section.card form[action$='/propose'] button").first().click();
    await maja.waitForURL("**/desk/suspense");
    assert.equal(await maja.locator("form[action$='/approve']").count(), 0, "another must agree");

    const jan = await operator("Jan", ["finance"]);
    await jan.goto("/desk/suspense");
    await jan.locator("form[action$='/approve'] button").first().click();
    await jan.waitForURL("**/desk/suspense");
    assert.equal(await jan.locator("section.card").count(), waiting - 1);
  }));

test("a teller takes cash and prints its receipt", () =>
  story(async ({ operator }) => {
    const page = await operator("Tina", ["branch"], { locale: "en-GB" });
    await page.goto("/desk/cash");
    await accessible(page);
    await page.fill("#mok_id", "123456782");
    await page.fill("#last_four", "0011");
    await page.fill("#amount", "50");
    await page.click("#take");
    await page.waitForSelector("pre.receipt");
    assert.match(await page.textContent("pre.receipt"), /€50.00/);
    await accessible(page);
    await picture(page, "desk-receipt");
  }));

test("an auditor reads every page, and each fits and has no fault that axe knows", () =>
  story(async ({ cekr, operator }) => {
    await cekr.purchase({ card: "ana", amount: "12.00", expect: "00" });
    const page = await operator("Vesna", ["auditor"], { width: 390 });
    const places = await page.locator(".desk-places a").evaluateAll(
      (links) => links.map((link) => link.getAttribute("href")));
    assert.ok(places.length >= 9, places.join(" "));
    for (const place of places) {
      const reply = await page.goto(place);
      assert.equal(reply.status(), 200, place);
      await accessible(page);
      await fits(page);
      await picture(page, `desk${place.replaceAll("/", "-")}`);
    }
    await page.goto("/desk/traffic");
    await page.waitForSelector("#traffic svg");
    await page.evaluate(() => { document.querySelector("#traffic").dataset.old = "yes"; });
    await page.waitForSelector("#traffic:not([data-old])", { timeout: 20_000 });
  }));
