//! A QR code (ISO/IEC 18004) in half blocks: two modules above each other in one character.
//!
//! Must never: leave black and white to the terminal's theme, which is dark for one person and light for another.

use qrcode::{Color, EcLevel, QrCode};

/// The white border. The standard asks for four modules; on a screen, two are read as well and leave room for the words beside it.
const QUIET: usize = 2;

/// White on black, in the fixed part of the 256 colours, which themes leave alone. The light modules are what is drawn: a dark
/// terminal that ignores colours shows the code rightly too.
const COLOURS: &str = "\x1b[38;5;231;48;5;16m";
const END: &str = "\x1b[0m";

/// A picture of rows of the same width.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Qr {
    /// The rows, with their colours.
    pub(crate) rows: Vec<String>,
    /// Columns of each row.
    pub(crate) columns: usize,
}

impl Qr {
    /// The picture of an address; `None` where it is too long for one. The lowest error correction: a screen has no scratches, and
    /// a small code fits more terminals.
    pub(crate) fn of(address: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(address, EcLevel::L).ok()?;
        let side = code.width() + 2 * QUIET;
        let modules = code.to_colors();
        let light = |x: usize, y: usize| {
            let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < code.width());
            let module = inside(x).zip(inside(y)).and_then(|(x, y)| modules.get(y * code.width() + x));
            module != Some(&Color::Dark)
        };
        let row = |y: usize| {
            let blocks = (0..side).map(|x| match (light(x, y), light(x, y + 1)) {
                (true, true) => '\u{2588}',
                (true, false) => '\u{2580}',
                (false, true) => '\u{2584}',
                (false, false) => ' ',
            });
            format!("{COLOURS}{}{END}", blocks.collect::<String>())
        };
        Some(Self { rows: (0..side).step_by(2).map(row).collect(), columns: side })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::screen::clean;

    const ADDRESS: &str = "https://github.com/login/device?user_code=ABCD-1234";

    /// What a camera sees: true is dark. Each module is some pixels wide, and outside of the picture is the terminal.
    fn seen(qr: &Qr, terminal_is_dark: bool) -> Vec<Vec<bool>> {
        const PIXELS: usize = 3;
        let side = qr.columns + 8;
        let mut modules = vec![vec![terminal_is_dark; side]; side + 1];
        for (row, line) in qr.rows.iter().enumerate() {
            for (column, block) in clean(line).chars().enumerate() {
                let (upper, lower) = match block {
                    '\u{2588}' => (false, false),
                    '\u{2580}' => (false, true),
                    '\u{2584}' => (true, false),
                    _ => (true, true),
                };
                modules[4 + 2 * row][4 + column] = upper;
                modules[5 + 2 * row][4 + column] = lower;
            }
        }
        let wide = modules.iter().map(|row| row.iter().flat_map(|dark| [*dark; PIXELS]).collect::<Vec<_>>());
        wide.flat_map(|row| vec![row; PIXELS]).collect()
    }

    #[test]
    fn a_camera_reads_the_address_on_a_dark_and_on_a_light_terminal() {
        for address in [ADDRESS, "https://a.example/", &format!("https://a.example/{}", "x".repeat(300))] {
            let qr = Qr::of(address).unwrap();
            for terminal_is_dark in [true, false] {
                let pixels = seen(&qr, terminal_is_dark);
                let (width, height) = (pixels[0].len(), pixels.len());
                let grey = |x: usize, y: usize| if pixels[y][x] { 0 } else { 255 };
                let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
                let found = image.detect_grids();
                assert_eq!(found[0].decode().unwrap().1, address, "dark: {terminal_is_dark}");
            }
        }
    }

    #[test]
    fn every_row_has_its_own_colours_and_the_same_width() {
        let qr = Qr::of(ADDRESS).unwrap();
        assert_eq!((qr.columns, qr.rows.len()), (33, 17));
        for row in &qr.rows {
            assert!(row.starts_with(COLOURS) && row.ends_with(END));
            assert_eq!(clean(row).chars().count(), qr.columns);
        }
    }

    #[test]
    fn an_address_that_is_too_long_has_no_picture() {
        assert_eq!(Qr::of(&"x".repeat(3000)), None);
    }
}
