// The form of a toxic. Its fields are made from the JSON Schema of config files, so it has all types and attributes that the
// config check knows.

import { get, request, toxicPath } from "./api.js";
import { byId, element, setChildren, setText } from "./elements.js";

let definitions = null;
let submit = () => {};

// Adds a toxic to a route, or changes one of it.
export async function editToxic(route, toxic, refresh) {
  definitions ??= (await get("v1/schema")).$defs;
  const form = new ToxicForm(toxic ?? {});
  setText(byId("toxic-title"), toxic === null ? `New toxic of ${route.name}` : `${toxic.name} of ${route.name}`);
  setText(byId("toxic-error"), "");
  submit = async () => {
    const written = form.read();
    const name = toxic?.name ?? written.name ?? `${written.type}_${written.stream ?? "downstream"}`;
    if (toxic === null && route.toxics?.some((other) => other.name === name)) {
      throw new Error(`the route has a toxic ${name} already; write another name`);
    }
    await request("PUT", toxicPath(route.name, name), { ...written, name });
    byId("toxic").close();
    refresh();
  };
  byId("toxic").showModal();
}

byId("toxic-cancel").addEventListener("click", () => byId("toxic").close());
byId("toxic").addEventListener("submit", (event) => {
  event.preventDefault();
  setText(byId("toxic-error"), "");
  submit().catch((error) => setText(byId("toxic-error"), error.message));
});

class ToxicForm {
  // The keys with a place of their own in the form.
  static #PLACED = ["name", "type", "stream", "toxicity", "attributes"];

  constructor(toxic) {
    const { properties } = definitions.toxic;
    const fields = (keys) => keys.map((key) => new Field(key, properties[key], toxic[key], false));
    this.name = new Field("name", properties.name, toxic.name, false);
    this.name.input.disabled = toxic.name !== undefined;
    this.type = new Field("type", properties.type, toxic.type ?? properties.type.enum[0], true);
    this.common = fields(["stream", "toxicity"]);
    const others = fields(Object.keys(properties).filter((key) => !ToxicForm.#PLACED.includes(key)));
    const isSet = others.some(({ key }) => toxic[key] !== undefined);
    const details = element("details", { open: isSet }, element("summary", {}, "When, and on which connections"), ...others.map((it) => it.element));
    this.others = others;
    this.attributes = element("div");
    this.type.input.addEventListener("change", () => this.#showAttributes({}));
    setChildren(byId("toxic-fields"), [
      this.type.element, this.attributes, ...this.common.map((it) => it.element), this.name.element, details,
    ]);
    this.#showAttributes(toxic.attributes ?? {});
  }

  #showAttributes(values) {
    const { description, properties = {}, required = [] } = definitions[`${this.type.read()}_attributes`];
    const keys = [...new Set([...required, ...Object.keys(properties)])];
    this.fields = keys.map((key) => new Field(key, properties[key], values[key], required.includes(key)));
    setChildren(this.attributes, [element("p", {}, description), ...this.fields.map((it) => it.element)]);
  }

  // The toxic as in a config file.
  read() {
    const toxic = valuesOf([this.type, this.name, ...this.common, ...this.others]);
    return { ...toxic, attributes: valuesOf(this.fields) };
  }
}

// What is left out has its default.
function valuesOf(fields) {
  return Object.fromEntries(fields.map((field) => [field.key, field.read()]).filter(([, value]) => value !== undefined));
}

let fieldCount = 0;

// One key: an input with its label and its description, or a group of fields if it is an object.
class Field {
  constructor(key, schema, value, isRequired) {
    this.key = key;
    this.schema = schema;
    if (schema.properties !== undefined) {
      const fields = Object.entries(schema.properties).map(([name, nested]) => new Field(name, nested, value?.[name], false));
      this.fields = fields;
      this.element = element("fieldset", {}, element("legend", {}, key), element("small", {}, schema.description), ...fields.map((it) => it.element));
      return;
    }
    const id = `field-${(fieldCount += 1)}`;
    const attributes = { id, "aria-describedby": `${id}-about`, required: isRequired };
    this.input = createInput(schema, value ?? (isRequired ? schema.examples?.[0] : undefined), attributes);
    const about = element("small", { id: `${id}-about` }, schema.description ?? "");
    this.element = element("div", { class: "field" }, element("label", { for: id }, key), this.input, about);
  }

  // `undefined` if nothing is written.
  read() {
    if (this.fields !== undefined) {
      const values = valuesOf(this.fields);
      return Object.keys(values).length === 0 ? undefined : values;
    }
    if (this.input.type === "checkbox") return this.input.checked;
    const text = this.input.value;
    if (text === "") return undefined;
    const takes = (type) => [this.schema, ...(this.schema.anyOf ?? [])].some((it) => it.type === type);
    if ((takes("number") || takes("integer")) && Number.isFinite(Number(text))) return Number(text);
    return takes("array") && text.includes(",") ? text.split(",").map((part) => part.trim()) : text;
  }
}

function createInput(schema, value, attributes) {
  if (schema.enum !== undefined) {
    const option = (word) => element("option", { selected: word === (value ?? schema.default) }, word);
    const none = schema.default === undefined && value === undefined ? [element("option", { value: "" }, "")] : [];
    return element("select", attributes, ...none, ...schema.enum.map(option));
  }
  if (schema.type === "boolean") return element("input", { ...attributes, required: false, type: "checkbox", checked: value ?? schema.default });
  const isNumber = schema.type === "integer" || schema.type === "number";
  const number = isNumber && { type: "number", min: schema.minimum, max: schema.maximum, step: schema.type === "integer" ? 1 : "any" };
  const placeholder = schema.default === undefined ? "" : String(schema.default);
  return element("input", { ...attributes, type: "text", ...number, placeholder, value: value ?? "" });
}
