/**
 * The members of a Fetch `Request` that only mean something to a browser, with the values that `new Request(url)`
 * has. They make `HttpRequest` one in the eyes of the compiler, so that `(request: Request) => Response` is a handler,
 * and `new Request(url, httpRequest)` a copy.
 */
export abstract class FetchRequestDefaults {
  get cache(): 'default' {
    return 'default';
  }

  get credentials(): 'same-origin' {
    return 'same-origin';
  }

  get destination(): '' {
    return '';
  }

  get duplex(): 'half' {
    return 'half';
  }

  get integrity(): string {
    return '';
  }

  get keepalive(): boolean {
    return false;
  }

  get mode(): 'cors' {
    return 'cors';
  }

  get redirect(): 'follow' {
    return 'follow';
  }

  get referrer(): string {
    return 'about:client';
  }

  get referrerPolicy(): '' {
    return '';
  }
}
