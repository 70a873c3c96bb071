import pytest

from damamba.report.markdown import table, to_html


def test_a_table_comes_back_with_its_cells_and_alignment():
    html = to_html("\n".join(table(["name", "x", "y"], [["`a`", "1", ""], ["b < c", "−2", "3"]])))
    assert html.count("<tr>") == 3
    assert '<td class="number">1</td><td class="number"></td>' in html
    assert "<td><code>a</code></td>" in html
    assert "b &lt; c" in html


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# Title", "<h3>Title</h3>"),
        ("## Part\nText **bold**", "<h4>Part</h4>\n<p>Text <strong>bold</strong></p>"),
        ("> quoted\n> on", "<blockquote>quoted on</blockquote>"),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        ("one\ntwo\n\nthree", "<p>one two</p>\n<p>three</p>"),
        ("<script>", "<p>&lt;script&gt;</p>"),
    ],
)
def test_each_form_becomes_html(text, html):
    assert to_html(text) == html
