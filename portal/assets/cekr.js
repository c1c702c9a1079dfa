// The website's own script: what a page cannot do with forms and htmx.
"use strict";
