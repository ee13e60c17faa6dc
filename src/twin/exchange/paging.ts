// Twilio's pages of a list: an envelope with the addresses of the neighbours. A page after the first is found by the
// last item of the one before, so what is new since then shifts nothing.

const PAGE_SIZE = 50;
const TOKEN = /^PA(.+)$/;

/** One page of `items`, which are in their final order. */
export function pageOf<Item extends { readonly sid: string }>(
  name: string,
  items: readonly Item[],
  json: (item: Item) => object,
  url: URL,
): object {
  const page = Number(url.searchParams.get("Page") ?? 0);
  const pageSize = Number(url.searchParams.get("PageSize") ?? PAGE_SIZE);
  const after = TOKEN.exec(url.searchParams.get("PageToken") ?? "")?.[1];
  const from = after === undefined ? page * pageSize : items.findIndex(({ sid }) => sid === after) + 1;
  const shown = items.slice(from, from + pageSize);
  const last = shown.at(-1);
  const isMore = from + shown.length < items.length;
  const start = page * pageSize;
  return {
    [name]: shown.map(json),
    end: start + Math.max(0, shown.length - 1),
    start,
    page,
    page_size: pageSize,
    uri: uri(url, { PageSize: pageSize, Page: page }),
    first_page_uri: uri(url, { PageSize: pageSize, Page: 0, PageToken: null }),
    next_page_uri:
      isMore && last ? uri(url, { PageSize: pageSize, Page: page + 1, PageToken: `PA${last.sid}` }) : null,
    previous_page_uri: page === 0 ? null : uri(url, { PageSize: pageSize, Page: page - 1, PageToken: null }),
  };
}

/** Path and query with these parameters, or without them. */
function uri(
  { pathname, searchParams }: URL,
  changes: Readonly<Record<string, string | number | null>>,
): string {
  const changed = new URLSearchParams(searchParams);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) changed.delete(name);
    else changed.set(name, String(value));
  }
  return `${pathname}?${changed}`;
}
