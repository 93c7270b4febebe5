// The search page: it asks /info what is served, and /search for what is found. No library, nothing from elsewhere.

const at = (id) => document.getElementById(id);
const KEY = "rankdistill-api-key";
const NAMES = { dense: "Dense", sparse: "Sparse", multi_vector: "Multi-vector", bm25: "BM25", fused: "Fused" };
const OPERATORS = {
  string: ["equals", "in"], strings: ["equals", "in", "all"], boolean: ["equals"],
  integer: ["equals", "gte", "lte", "gt", "lt", "in"], number: ["gte", "lte", "gt", "lt", "equals", "in"],
  date: ["gte", "lte", "gt", "lt", "equals"],
};
const SAID = { equals: "is", in: "is one of", all: "has all of", gte: "at least", lte: "at most", gt: "more than", lt: "less than" };
const LISTS = ["in", "all"];

const state = { ways: [], fields: {}, asked: null };

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, body, signal) {
  const headers = {};
  const key = sessionStorage.getItem(KEY);
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal });
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, message(content) || `the server answers ${answer.status}`);
  return content;
}

function message(content) {
  const error = content.error ?? content.detail;
  return typeof error === "string" ? error : error?.message;
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// What may be searched with: all indexes together, each of them, each also re-ranked.
function waysOf(info) {
  const indexes = Object.entries(info.indexes);
  const counts = {};
  for (const [, index] of indexes) counts[index.mode] = (counts[index.mode] ?? 0) + 1;
  const plain = indexes.map(([name, index]) => ({
    key: name,
    label: counts[index.mode] > 1 ? `${NAMES[index.mode]}: ${name}` : NAMES[index.mode],
    request: { index: name },
  }));
  if (info.modes.includes("fused")) plain.push({ key: "*", label: NAMES.fused, request: { mode: "fused" } });
  const reranked = info.rerank_depth == null ? [] : plain.map((way) => ({
    key: `${way.key} +`, label: `${way.label}, re-ranked`, request: { ...way.request, rerank: true },
  }));
  return [...plain, ...reranked];
}

function show(info) {
  const indexes = Object.values(info.indexes);
  if (!indexes.length) {
    at("served").textContent = "This server has no index: serve one with --index.";
    return;
  }
  state.ways = waysOf(info);
  const documents = Math.max(...indexes.map((index) => index.documents));
  const names = Object.keys(info.indexes);
  at("served").textContent =
    `${documents.toLocaleString("en")} documents in ${names.length === 1 ? "the index" : "the indexes"} ${names.join(", ")}`;
  at("ways").replaceChildren(at("ways").firstElementChild, ...state.ways.map((way, place) => {
    const radio = element("input", { type: "radio", name: "way", value: way.key, checked: place === 0 });
    return element("label", {}, radio, ` ${way.label}`);
  }));
  at("other").replaceChildren(
    element("option", { value: "", textContent: "nothing" }),
    ...state.ways.map((way) => element("option", { value: way.key, textContent: way.label })),
  );
  for (const index of indexes) Object.assign(state.fields, index.fields);
  showFields();
  at("key-form").hidden = true;
  at("search-form").hidden = false;
  restore();
}

function showFields() {
  const names = Object.keys(state.fields);
  at("builder").hidden = names.length === 0;
  at("filter-box").hidden = names.length === 0;
  at("field").replaceChildren(...names.map((name) => element("option", { value: name, textContent: name })));
  showOperators();
}

function showOperators() {
  const operators = OPERATORS[state.fields[at("field").value]] ?? ["equals"];
  at("operator").replaceChildren(...operators.map((name) => element("option", { value: name, textContent: SAID[name] })));
  showHint();
}

function showHint() {
  const several = LISTS.includes(at("operator").value);
  at("value").placeholder = several ? "a, b, c" : { boolean: "true or false", date: "2024-05-31" }[state.fields[at("field").value]] ?? "";
}

function typed(text, type) {
  const trimmed = text.trim();
  if (type === "integer" || type === "number") return trimmed === "" ? NaN : Number(trimmed);
  if (type === "boolean") return { true: true, false: false }[trimmed.toLowerCase()];
  return trimmed;
}

function addCondition() {
  const [field, operator, text] = [at("field").value, at("operator").value, at("value").value];
  const type = state.fields[field];
  const value = LISTS.includes(operator) ? text.split(",").map((one) => typed(one, type)) : typed(text, type);
  const wrong = [value].flat().some((one) => one === undefined || one === "" || Number.isNaN(one));
  at("filter-error").textContent = wrong ? `${field} takes a value of type ${type}` : "";
  const filter = wrong ? null : filterOf();
  if (filter === null) return at("value").focus();
  const made = filter ?? {};
  made.must = [...(made.must ?? []), { field, [operator]: value }];
  at("filter").value = JSON.stringify(made);
  at("value").value = "";
  at("status").textContent = `Condition added: ${field} ${SAID[operator]} ${text.trim()}`;
}

// The filter in the box; undefined where it is empty, null where it is not JSON.
function filterOf() {
  const text = at("filter").value.trim();
  at("filter-error").textContent = "";
  if (!text) return undefined;
  try {
    const found = JSON.parse(text);
    if (found && typeof found === "object" && !Array.isArray(found)) return found;
  } catch { /* told below */ }
  at("filter-error").textContent = 'This is not a JSON object, such as {"must": [{"field": "year", "gte": 2000}]}';
  return null;
}

async function search() {
  const query = at("query").value;
  const filter = filterOf();
  if (filter === null) {
    at("filter-box").open = true;
    return at("filter").focus();
  }
  const chosen = document.querySelector("input[name=way]:checked").value;
  const keys = [...new Set([chosen, at("other").value].filter(Boolean))];
  const ways = keys.map((key) => state.ways.find((way) => way.key === key));
  remember(query, keys, filter);
  state.asked?.abort();
  const asked = (state.asked = new AbortController());
  at("results").setAttribute("aria-busy", "true");
  at("error").textContent = "";
  at("status").textContent = "Searching …";
  try {
    const answers = await Promise.all(ways.map(async (way) => {
      const started = performance.now();
      const body = { query, k: Number(at("count").value), ...way.request, ...(filter && { filter }) };
      const answer = await ask("search", body, asked.signal);
      return { way, ...answer, total: performance.now() - started };
    }));
    at("results").replaceChildren(...answers.map((answer, place) => panel(answer, answers[1 - place], query)));
    at("status").textContent = answers.map((answer) => `${answer.way.label}: ${summary(answer)}`).join(". ");
  } catch (error) {
    if (error.name === "AbortError") return;
    at("results").replaceChildren();
    at("status").textContent = "";
    fail(error);
  } finally {
    if (state.asked === asked) at("results").setAttribute("aria-busy", "false");
  }
}

function summary(answer) {
  const count = answer.hits.length;
  return `${count} ${count === 1 ? "document" : "documents"} in ${milliseconds(answer.took_ms)}`;
}

const milliseconds = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;

function panel(answer, other, query) {
  const id = `found-${answer.way.key}`;
  const heading = element("h2", { id, textContent: answer.way.label });
  const took = element("p", {
    className: "took",
    textContent: `${summary(answer)}, ${milliseconds(answer.total)} with the way here and back`,
  });
  const made = element("section", {}, heading, took);
  made.setAttribute("aria-labelledby", id);
  if (answer.truncated) made.append(element("p", { className: "error", textContent: "The query was too long: its end was not read." }));
  if (answer.terms) made.append(terms(answer.terms, query));
  if (!answer.hits.length) made.append(element("p", { textContent: "Nothing was found." }));
  const ranks = new Map(other?.hits.map((hit, place) => [hit.id, place + 1]));
  made.append(element("ol", {}, ...answer.hits.map((hit, place) => shownHit(hit, place + 1, ranks.get(hit.id), other))));
  return made;
}

function shownHit(hit, rank, otherRank, other) {
  const { text, ...fields } = hit.fields;
  const made = element("li", { className: otherRank ? "both" : "" },
    element("div", { className: "head" },
      element("span", { className: "rank", textContent: `${rank}.` }),
      element("span", { className: "id", textContent: hit.id }),
      element("span", { className: "score", textContent: hit.score.toFixed(4), title: "score" })));
  made.dataset.id = hit.id;
  if (text) made.append(element("p", { className: "text", textContent: text }));
  const listed = Object.entries(fields).map(([name, value]) => element("div", {},
    element("dt", { textContent: name }), element("dd", { textContent: Array.isArray(value) ? value.join(", ") : String(value) })));
  if (listed.length) made.append(element("dl", {}, ...listed));
  if (otherRank) made.append(element("p", { className: "elsewhere", textContent: `${otherRank}. with ${other.way.label}` }));
  return made;
}

const TERMS = 12;

// Which terms stand in a query: its words, and pieces of those words that are no terms themselves.
function standsIn(found, query) {
  const words = query.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const split = words.filter((word) => !(word in found));
  return (term) => {
    const bare = term.replace(/^(##|[Ġ▁])/u, "").toLowerCase();
    const piece = term.startsWith("##");
    if (!piece && words.includes(bare)) return true;
    return split.some((word) => (piece ? word.includes(bare, 1) : word.startsWith(bare)));
  };
}

// The terms that a sparse model reads in the query: those that it adds are told from those that stand there.
function terms(found, query) {
  const stands = standsIn(found, query);
  const largest = Math.max(...Object.values(found));
  const every = Object.keys(found);
  const rows = Object.entries(found).slice(0, TERMS).map(([term, weight]) => {
    const added = !stands(term);
    const bar = element("meter", { min: 0, max: largest, value: weight });
    bar.setAttribute("aria-hidden", "true");
    return element("tr", { className: added ? "added" : "" },
      element("th", { scope: "row", textContent: term }),
      element("td", { className: "number", textContent: weight.toFixed(2) }),
      element("td", {}, bar),
      element("td", { textContent: added ? "added" : "in the query" }));
  });
  const header = element("tr", {}, ...["term", "weight", "", "where from"].map((name) =>
    name ? element("th", { scope: "col", textContent: name }) : element("td")));
  const added = every.filter((term) => !stands(term)).length;
  const cut = every.length > TERMS ? `, the first ${TERMS} of them below` : "";
  return element("details", { open: true },
    element("summary", { textContent: `The query as the model reads it: ${every.length} terms, ${added} added${cut}` }),
    element("table", {}, element("thead", {}, header), element("tbody", {}, ...rows)));
}

// The search stands in the address, so that it can be sent to someone, and going back finds it.
function remember(query, keys, filter) {
  const found = new URLSearchParams({ q: query, with: keys[0], k: at("count").value });
  if (keys[1]) found.set("other", keys[1]);
  if (filter) found.set("filter", JSON.stringify(filter));
  history.replaceState(null, "", `?${found}`);
}

function restore() {
  const found = new URLSearchParams(location.search);
  const wanted = found.get("with");
  for (const radio of document.querySelectorAll("input[name=way]")) radio.checked = radio.value === wanted || radio.checked;
  if (state.ways.some((way) => way.key === found.get("other"))) at("other").value = found.get("other");
  if (Number(found.get("k")) >= 1) at("count").value = found.get("k");
  if (found.get("filter")) {
    at("filter").value = found.get("filter");
    at("filter-box").open = true;
  }
  at("query").value = found.get("q") ?? "";
  if (at("query").value.trim()) search();
  else at("query").focus();
}

function fail(error) {
  if (error.status === 401) {
    const tried = sessionStorage.getItem(KEY) !== null;
    sessionStorage.removeItem(KEY);
    at("served").textContent = "This server asks for an API key.";
    at("search-form").hidden = true;
    at("key-form").hidden = false;
    if (tried) at("error").textContent = "The server does not know this key.";
    at("key").focus();
    return;
  }
  at("error").textContent = error.status ? error.message : "The server cannot be reached.";
}

async function start() {
  try {
    show(await ask("info"));
  } catch (error) {
    if (!error.status) at("served").textContent = "";
    fail(error);
  }
}

at("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, at("key").value.trim());
  at("key").value = "";
  at("error").textContent = "";
  start();
});
at("search-form").addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
at("ways").addEventListener("change", () => at("query").value.trim() && search());
at("other").addEventListener("change", () => at("query").value.trim() && search());
at("field").addEventListener("change", showOperators);
at("operator").addEventListener("change", showHint);
at("add").addEventListener("click", addCondition);
at("value").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  addCondition();
});
start();
