/**
 * The table's entry for a text from outside, such as a field that other programs write to Google. A plain index would also
 * find `constructor` and whatever else objects inherit.
 */
export function entryOf<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
