/** Downloads a value as a JSON file. */
export function saveJson(name: string, value: unknown): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(value, null, 2)], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download started with the click and does not need the URL any more.
  setTimeout(() => {
    URL.revokeObjectURL(url);
  });
}
