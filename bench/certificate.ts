import { LOCALHOST, TEST_AUTHORITY } from '../test/support/certificates.ts';
import { type CertificateFiles, write } from './job.ts';
import { newFolder } from './program.ts';

/** Who has signed everybody's certificate: PEM. */
export const AUTHORITY = TEST_AUTHORITY.cert;

let files: CertificateFiles | null = null;

/** The certificate that every server of this run shows. */
export function certificateFiles(): CertificateFiles {
  files ??= writeFiles();
  return files;
}

function writeFiles(): CertificateFiles {
  const { cert, key } = LOCALHOST;
  const job = { folder: newFolder() };
  return {
    cert: write(job, 'cert.pem', cert),
    key: write(job, 'key.pem', key),
    bundle: write(job, 'bundle.pem', `${cert}${key}`),
  };
}
