// Every page in both languages, on the narrowest phone and on a desktop: its language, width and access.
import { test } from "node:test";
import assert from "node:assert/strict";
import { ANA, BOR, good, register, stories } from "./support.mjs";

const story = stories();

for (const locale of ["sl-SI", "en-GB"]) {
  for (const width of [320, 1280]) {
    const options = { locale, width, colorScheme: width === 320 ? "dark" : "light" };

    test(`what anybody sees in ${locale} on ${width} px`, () =>
      story({ ...options, answers: [404, 422] }, async ({ page }) => {
        const look = async (path, name) => {
          await page.goto(path);
          await good(page, name);
        };
        await look("/", "home");
        await look("/fee?amount=50", "fee");
        await look("/sign-in", "sign-in");
        await look("/load", "load");
        await look("/load/upn", "upn");
        await look("/desk/sign-in", "desk-sign-in");
        await look("/desk/register", "desk-register");
        await look("/register", "register");
        await page.fill("#mok_id", ANA.mokId);
        await page.fill("#last_six", "000012");
        await page.fill("#code", "KRANJ-40000");
        await page.click("main form button");
        await page.waitForSelector("[role=alert]");
        await good(page, "register-wrong");
        await page.fill("#last_six", ANA.lastSix);
        await page.click("main form button");
        await page.waitForSelector("form[data-passkey=create]");
        await good(page, "register-passkey");
        await look("/there-is-no-such-page", "not-found");
      }));

    test(`what a holder sees in ${locale} on ${width} px`, () =>
      story(options, async ({ cekr, page }) => {
        const look = async (path, name) => {
          await page.goto(path);
          await good(page, name);
        };
        await register(page, ANA);
        await cekr.purchase({ card: "ana", amount: "24.90", expect: "00" });
        await cekr.withdraw({ card: "ana", amount: "20.00", expect: "00" });
        await cekr.purchase({ card: "ana", amount: "500.00", expect: "51" });
        const card = new URL(page.url()).pathname;
        await look(card, "card");
        await look(`${card}/history`, "history");
        await look(`${card}/turn-on?channel=abroad`, "turn-on");
        await look(`${card}/limits`, "limits");
        await look(`${card}/report`, "report");
        await look(`${card}/load/upn?amount=50`, "own-upn");
        await look("/load", "load-own");
        await look("/notices", "notices");
        await look("/devices", "devices");
        await look("/prove?next=/cards", "prove");
        await page.goto("/notices");
        await page.click("#mark-read");
        await page.waitForSelector("#mark-read", { state: "detached" });
        assert.equal(await page.locator(".count").count(), 0);
        await look("/devices/card", "add-card");
        await page.fill("#mok_id", BOR.mokId);
        await page.fill("#last_six", BOR.lastSix);
        await page.fill("#code", "KRANJ-40000");
        await page.click("main form button.button:not(.quiet)");
        await page.waitForURL("**/cards");
        await good(page, "cards");
      }));
  }
}
